// For Android Studio. This project's own build is tools/build_apk.py; versions are those of ../pom.xml.
plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "org.pocketgan.demo"
    compileSdk = 34

    defaultConfig {
        applicationId = "org.pocketgan.demo"
        minSdk = 24
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
        ndk.abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions.jvmTarget = "1.8"

    // Models are mapped, not read; `make android` puts the bundles there.
    androidResources.noCompress += "tflite"
    sourceSets["main"].assets.srcDir("../../build/android/assets")

    testOptions.unitTests {
        isIncludeAndroidResources = true
        all { it.systemProperty("pocketgan.tests", "$projectDir/src/test") }
    }
}

dependencies {
    implementation("org.tensorflow:tensorflow-lite:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-gpu:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-gpu-api:2.14.0")

    testImplementation("junit:junit:4.13.2")
    testImplementation("org.robolectric:robolectric:4.16")
    testImplementation("org.bytedeco:tensorflow-lite:2.18.0-1.5.11")
    testImplementation("org.bytedeco:tensorflow-lite:2.18.0-1.5.11:linux-x86_64")
    testImplementation("org.bytedeco:javacpp:1.5.11:linux-x86_64")
}
